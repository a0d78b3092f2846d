"""Our own double of Slack, the rules it keeps, and the payloads Slack documents."""
