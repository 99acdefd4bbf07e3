"""`python -m models.command_line` is the program `minidnn`."""

from models.command_line import main

if __name__ == "__main__":
    main()
