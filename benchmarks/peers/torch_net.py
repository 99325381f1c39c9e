"""torch on the checkpoint itself, eager or through torch.compile. Arguments: eager|compiled CHECKPOINT CROPS.npy"""

import sys
import time
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from protocol import private_stdout, serve

from compile.export.checkpoint import graph_from_checkpoint

stdout, started = private_stdout(), time.monotonic()
graph = graph_from_checkpoint(Path(sys.argv[2]))[0].eval()
crops = cycle(torch.from_numpy(np.load(sys.argv[3])))
run = torch.compile(graph) if sys.argv[1] == "compiled" else graph
with torch.inference_mode():
    run(next(crops))
    facts = {"backend": f"torch {torch.__version__}, {sys.argv[1]}", "a frame": "network on a ready crop"}
    serve(stdout, facts, (time.monotonic() - started) * 1e3, lambda: run(next(crops)))
