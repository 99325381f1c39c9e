"""FAST (pyfast) segmenting pictures with the same network, without a screen. Argument: NETWORK.onnx 'crops/#.png'

Own virtual environment: pip install pyfast. Debian: libusb-1.0-0 pocl-opencl-icd libgl1 libopengl0 libegl1, Qt's
libxcb-*. Its OpenVINO engine refuses the exported file (a ReduceMean in the pyramid pooling), so its ONNX Runtime
engine runs it.
"""

import sys
import time

from protocol import private_stdout, serve

stdout, started = private_stdout(), time.monotonic()
import fast  # noqa: E402 (it prints when it is imported)

fast.Reporter.setGlobalReportMethod(fast.Reporter.NONE)
files = fast.ImageFileStreamer.create(sys.argv[2], loop=True, useTimestamps=False)
grey = fast.ColorToGrayscale.create().connect(files)
net = fast.SegmentationNetwork.create(sys.argv[1], scaleFactor=1.0, inferenceEngine="ONNXRuntime")
net.connect(grey)
results = iter(fast.DataStream(net))
next(results)
facts = {"backend": "FAST, ONNX Runtime engine, fp32", "a frame": "read a 473x473 PNG, grey, network, largest class"}
serve(stdout, facts, (time.monotonic() - started) * 1e3, lambda: next(results))
