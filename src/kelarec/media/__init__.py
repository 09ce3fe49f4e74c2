"""WAV files."""
