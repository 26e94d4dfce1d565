# For those who type `make`; the work is done by ./dev, which needs no make.
.PHONY: help install uninstall demo test lint unit molecule bench soak clean
help install uninstall demo test lint unit molecule bench soak clean:
	@./dev $@
