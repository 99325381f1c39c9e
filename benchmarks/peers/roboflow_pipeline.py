"""roboflow's InferencePipeline decoding the clip and calling ONNX Runtime a frame. Arguments: NETWORK.onnx CLIP.mp4 SIZE

Own virtual environment: pip install inference. Its own models need an account; custom logic runs any.
"""

import queue
import sys
import time

import cv2
import numpy as np
import onnxruntime
from inference import InferencePipeline
from protocol import private_stdout, serve

stdout, started = private_stdout(), time.monotonic()
session, size = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"]), int(sys.argv[3])
name = session.get_inputs()[0].name
done: queue.Queue[object] = queue.Queue(maxsize=1)


def segment(frames):
    """The whole screen shrunk to the network's size: this pipeline knows no sector."""
    found = []
    for frame in frames:
        small = cv2.resize(cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY), (size, size), interpolation=cv2.INTER_AREA)
        found.append(session.run(None, {name: np.ascontiguousarray(small[None, None])})[0])
    return found


def repeat():
    while True:
        pipeline = InferencePipeline.init_with_custom_logic(
            video_reference=sys.argv[2], on_video_frame=segment, on_prediction=lambda found, frame: done.put(found)
        )
        pipeline.start(use_main_thread=False)
        pipeline.join()


import threading  # noqa: E402

threading.Thread(target=repeat, daemon=True).start()
done.get()
facts = {"backend": "roboflow inference, ONNX Runtime", "a frame": "decode, whole screen to 473x473, network"}
serve(stdout, facts, (time.monotonic() - started) * 1e3, done.get)
