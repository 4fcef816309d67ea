a = 1
b "c" {
  d = <<-E
    x
      y ${z}
  E
}
