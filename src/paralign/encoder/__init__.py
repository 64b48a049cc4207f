"""Encoders: a Hugging Face masked LM with its tokenizer, read as hidden states and vocabulary scores."""

from paralign.encoder.encoder import Encoder, HiddenStates
from paralign.encoder.tokenizer import train_tokenizer

__all__ = ["Encoder", "HiddenStates", "train_tokenizer"]
