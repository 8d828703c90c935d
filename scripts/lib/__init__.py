"""What the commands share. Nothing in here parses arguments, apart from `cli`."""
