a = 1 b = 2
c {} d = 3
e { f = 1 g = 2 }
