"""Encoders: Hugging Face models with their tokenizers, which give hidden states and logits."""

from paralign.encoder.encoder import Encoder
from paralign.encoder.hidden_states import HiddenStates
from paralign.encoder.tokenizer import train_tokenizer

__all__ = ["Encoder", "HiddenStates", "train_tokenizer"]
