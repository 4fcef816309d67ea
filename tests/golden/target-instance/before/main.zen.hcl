zenctl {
  project = "tiny"
}

variable "tops" {
  type    = map(number)
  default = { few = 1, some = 2 }
}

datasource "csv" "heights" {
  path = "heights.csv"
}

step "python" "tallest" {
  code   = "steps/rank.py:tallest"
  inputs = { data = datasource.csv.heights }
  params = { top = each.value }
  for_each = var.tops
}

step "python" "count" {
  code   = "steps/size.py:count"
  for_each = step.python.tallest
  inputs   = { names = each.value.names }
}

output "count" {
  value = { for key, step in step.python.count : key => step.result.value }
}
