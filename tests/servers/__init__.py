"""The far ends of the network, for tests: S3 servers on loopback, and a front that breaks things."""
