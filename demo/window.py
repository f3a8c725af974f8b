"""The meeting window of the simulated class: a real window, driven line by line from standard input.

A line with a number of seconds shows that moment; the answer `shown` comes once the pixels are on the screen.
"""

import os
import sys

from demo.script import LESSON, SIZE_PX

__all__ = ["main"]


def main() -> None:
    # A plain surface is put on the screen synchronously: what was answered for can be grabbed.
    os.environ.update(SDL_VIDEODRIVER="x11", SDL_FRAMEBUFFER_ACCELERATION="0", SDL_VIDEO_WINDOW_POS="0,0")
    os.environ.update(PYGAME_HIDE_SUPPORT_PROMPT="1", SDL_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR="0")
    import pygame

    pygame.display.init()
    window = pygame.display.set_mode(SIZE_PX, pygame.NOFRAME)
    pygame.display.set_caption("Biology 101 - simulated class")
    pygame.event.pump()
    x, y = pygame.display.get_window_position()
    print(f"ready {x} {y}", flush=True)
    for line in sys.stdin:
        pygame.event.pump()
        frame = LESSON.draw(float(line))
        window.blit(pygame.image.frombuffer(frame.tobytes(), SIZE_PX, "BGR"), (0, 0))
        pygame.display.flip()
        print("shown", flush=True)


if __name__ == "__main__":
    main()
