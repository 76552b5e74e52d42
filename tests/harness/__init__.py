"""What the black-box tests stand on: a server to start and kill, receivers to deliver to, and ways to wait.

See tests/README.md for a tour. Nothing in here knows how the server works inside.
"""
