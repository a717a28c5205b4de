"""A Kedro project of three nodes, copied by tests that need commands and processes of their own."""
