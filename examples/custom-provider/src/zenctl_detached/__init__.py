"""A provider of zenctl from outside: the backend `detached`, whose jobs outlive the command that began them."""
