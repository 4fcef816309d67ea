a = “x”
b = 'y'
c = `z`
d = 1 + 2
e = x – y
f: 1
