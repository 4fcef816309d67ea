a = <<E
E
b = <<-E
    x
  y
		z

  E
c = [<<E
  E x
E
, <<F
F
]
d = <<E-1
x
E-1  
