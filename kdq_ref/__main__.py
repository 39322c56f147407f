"""``python -m kdq_ref``: the command line where the ``kdq`` script is not on the path."""

from kdq_ref.cli import main

if __name__ == "__main__":
    main()
