"""Networks that come with xplain or with an extra of it: their architectures, and a catalogue that loads them."""
