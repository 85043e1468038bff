"""Runs gradus and its peers in turns and compares them. Standard library only."""
