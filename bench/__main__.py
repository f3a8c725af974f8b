"""`python -m bench`: runs every benchmark."""

from bench.look import main

if __name__ == "__main__":
    main()
