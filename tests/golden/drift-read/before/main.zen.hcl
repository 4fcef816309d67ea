zenctl {
  project = "tiny"
}

variable "top" {
  type    = number
  default = 2
}

datasource "csv" "heights" {
  path = "heights.csv"
}

step "python" "tallest" {
  code   = "steps/rank.py:tallest"
  inputs = { data = datasource.csv.heights }
  params = { top = var.top }
}

step "python" "count" {
  code   = "steps/size.py:count"
  inputs = { names = step.python.tallest.names }
}

output "count" {
  value = step.python.count.result.value
}
