"""Human speech, of the package pocketsphinx-testdata."""
import struct

RECORDING = "/usr/share/pocketsphinx/test/data/goforward.raw"


def wave(samples):
    """A WAV file of 16 kHz mono samples of 16 bits."""
    return (b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt "
            + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
            + b"data" + struct.pack("<I", len(samples)) + samples)
