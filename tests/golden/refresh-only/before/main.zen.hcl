zenctl {
  project = "served"
}

variable "size" {
  type    = number
  default = 1
}

step "python" "fit" {
  code   = "fit.py:fit"
  params = { size = var.size }
}

step "python" "other" {
  code   = "fit.py:fit"
  params = { size = 9 }
}

endpoint "file" "shop" {
  model = step.python.fit.model
  port  = 80
}
