"""What sends: the catalogue of channels, a process for each try, and what is kept between them."""
