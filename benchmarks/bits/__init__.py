"""The parts of same_bits.py: inputs, cases, recorder, digests of files, comparison."""
