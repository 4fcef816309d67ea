zenctl {
  project = "tiny"
}

datasource "csv" "heights" {
  path = "heights.csv"
}

step "validate" "heights" {
  inputs = { data = datasource.csv.heights }
  schema = file("schemas/heights.json")
}

step "python" "tallest" {
  code   = "steps/rank.py:tallest"
  inputs = { data = step.validate.heights.data }
  params = { top = 2 }
}
