"""What the bot does with each kind of update: decode, call the service, reply."""
