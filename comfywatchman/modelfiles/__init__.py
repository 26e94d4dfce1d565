"""The model files of a host: what they hold, which workflows need them, whether they are whole."""
