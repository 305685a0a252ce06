"""`python -m minivae`"""

from minivae.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
