"""OpenVINO as its documentation shows it: compile_model with default settings. Arguments: NETWORK.onnx CROPS.npy"""

import sys
import time
from itertools import cycle

import numpy as np
import openvino
from protocol import private_stdout, serve

stdout, started = private_stdout(), time.monotonic()
network, crops = openvino.Core().compile_model(sys.argv[1], "CPU"), cycle(np.load(sys.argv[2]))
network(next(crops))
facts = {"backend": f"openvino {openvino.__version__}, default settings", "a frame": "network on a ready crop"}
serve(stdout, facts, (time.monotonic() - started) * 1e3, lambda: network(next(crops)))
