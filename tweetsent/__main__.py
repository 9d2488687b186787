"""`python -m tweetsent` is `tweetsent`."""

from tweetsent.cli import main

if __name__ == "__main__":
    main()
