a = "\ud800"
b = "\uD83D\uDE00"
c = "\U0000dfff"
