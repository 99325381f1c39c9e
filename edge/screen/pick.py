"""Two points clicked on a picture, in a window of its own."""

from __future__ import annotations

import numpy as np

from edge.errors import EchoEdgeError
from edge.preprocess import Frame

Points = tuple[tuple[float, float], tuple[float, float]]

MARK_PX, COLOUR = 8, "#00e5ff"
MARGIN_PX = 120
"""What the screen's own bars and the window's frame may take."""
HINT = "Click two points at a known distance. Backspace takes one back, Return accepts, Escape gives up."


def pick_points(picture: Frame) -> Points:
    """Ask for two points on an HxWx3 RGB picture; (x, y) in its own pixels.

    It is shown as large as a whole factor allows; one larger than the screen is shown smaller. Raises EchoEdgeError
    without a screen, and where the user gives up.
    """
    try:
        import tkinter
    except ImportError as error:
        raise EchoEdgeError("clicking needs Tk: apt-get install python3-tk; or give --points X1,Y1,X2,Y2") from error
    try:
        root = tkinter.Tk()
    except tkinter.TclError as error:
        raise EchoEdgeError(f"there is no screen to click on ({error}); give --points X1,Y1,X2,Y2") from error
    height, width = picture.shape[:2]
    room = (root.winfo_screenwidth(), root.winfo_screenheight() - MARGIN_PX)
    shrink = max(1, -(-width // room[0]), -(-height // room[1]))
    zoom = max(1, min(room[0] // width, room[1] // height))
    shown = np.repeat(np.repeat(picture[::shrink, ::shrink], zoom, axis=0), zoom, axis=1)
    root.title(HINT)
    tkinter.Label(root, text=HINT).pack(side="bottom")
    data = b"P6 %d %d 255 " % (shown.shape[1], shown.shape[0]) + shown.tobytes()
    image = tkinter.PhotoImage(master=root, data=data, format="PPM")
    canvas = tkinter.Canvas(root, width=shown.shape[1], height=shown.shape[0], highlightthickness=0, cursor="crosshair")
    canvas.create_image(0, 0, image=image, anchor="nw")
    canvas.pack(anchor="nw")
    clicked: list[tuple[float, float]] = []
    accepted = False

    def draw() -> None:
        canvas.delete("mark")
        for x, y in clicked:
            canvas.create_line(x - MARK_PX, y, x + MARK_PX, y, fill=COLOUR, tags="mark")
            canvas.create_line(x, y - MARK_PX, x, y + MARK_PX, fill=COLOUR, tags="mark")
        if len(clicked) == 2:
            canvas.create_line(*clicked[0], *clicked[1], fill=COLOUR, tags="mark")

    def click(event: tkinter.Event[tkinter.Canvas]) -> None:
        if len(clicked) < 2:
            clicked.append((event.x, event.y))
            draw()

    def take_back(_: object) -> None:
        if clicked:
            clicked.pop()
            draw()

    def accept(_: object) -> None:
        nonlocal accepted
        if len(clicked) == 2:
            accepted = True
            root.destroy()

    canvas.bind("<Button-1>", click)
    root.bind("<BackSpace>", take_back)
    root.bind("<Return>", accept)
    root.bind("<Escape>", lambda _: root.destroy())
    root.focus_force()
    root.mainloop()
    if not accepted:
        raise EchoEdgeError("no two points were clicked; nothing was measured")
    (ax, ay), (bx, by) = clicked
    scale = shrink / zoom
    return ((ax * scale, ay * scale), (bx * scale, by * scale))
