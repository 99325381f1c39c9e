"""ONNX Runtime as its documentation shows it: a session with default options. Arguments: NETWORK.onnx CROPS.npy"""

import sys
import time
from itertools import cycle

import numpy as np
import onnxruntime
from protocol import private_stdout, serve

stdout, started = private_stdout(), time.monotonic()
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
name, crops = session.get_inputs()[0].name, cycle(np.load(sys.argv[2]))
session.run(None, {name: next(crops)})
facts = {"backend": f"onnxruntime {onnxruntime.__version__}, default options", "a frame": "network on a ready crop"}
serve(stdout, facts, (time.monotonic() - started) * 1e3, lambda: session.run(None, {name: next(crops)}))
