"""The functions of the language, by groups; `library` puts them together."""
