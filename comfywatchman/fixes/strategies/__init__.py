"""One way to find a fix each; a file here is found without being named anywhere."""
