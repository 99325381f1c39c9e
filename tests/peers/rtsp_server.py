"""An RTSP server of pictures in a loop, run by the system's Python: GStreamer's bindings are no wheel.

Usage: rtsp_server.py PORT FOLDER COUNT FPS   serves FOLDER/000.jpg … as rtsp://127.0.0.1:PORT/echo

Each picture is pushed when it is due and stamped then, as a scanner's encoder does.
"""

import sys
from itertools import count
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

port, folder, number, fps = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
Gst.init(None)
pictures = [Path(folder, f"{index:03d}.jpg").read_bytes() for index in range(number)]


def start_pushing(_factory, media):
    source = media.get_element().get_child_by_name("pictures")
    indices = count()

    def push():
        picture = pictures[next(indices) % number]
        return source.emit("push-buffer", Gst.Buffer.new_wrapped(picture)) == Gst.FlowReturn.OK

    GLib.timeout_add(round(1000 / fps), push)


server = GstRtspServer.RTSPServer.new()
server.set_address("127.0.0.1")
server.set_service(port)
factory = GstRtspServer.RTSPMediaFactory.new()
factory.set_shared(True)
factory.set_launch(
    "( appsrc name=pictures is-live=true do-timestamp=true format=time block=false max-bytes=4000000 "
    f"caps=image/jpeg,framerate={round(fps)}/1 ! jpegparse ! rtpjpegpay name=pay0 pt=26 )"
)
factory.connect("media-configure", start_pushing)
server.get_mount_points().add_factory("/echo", factory)
server.attach(None)
GLib.MainLoop().run()
