"""What the keys of a window do to the run."""

from __future__ import annotations

from functools import partial

from edge.sinks.base import Key
from edge.stages.drawing import Drawing
from edge.stages.inference import Inference


def keys_of(inference: Inference, drawing: Drawing) -> dict[str, Key]:
    """Key -> what it does; its action may be called on any thread."""
    keys = {
        "n": Key("names of the regions", drawing.toggle_names),
        "v": Key("next view: A4C, A2C, A3C", inference.next_view),
        "m": Key("mirrored left to right, or not", inference.mirror),
        "u": Key("upside down, or not", inference.turn_over),
        "bracketleft": Key("less depth, by 0.5 cm", partial(inference.step_depth, -1)),
        "bracketright": Key("more depth, by 0.5 cm", partial(inference.step_depth, 1)),
        "p": Key("new patient: begin afresh", inference.new_patient),
    }
    if inference.refining is not None:
        keys["r"] = Key("refine this frame", inference.refining.ask)
    return keys
