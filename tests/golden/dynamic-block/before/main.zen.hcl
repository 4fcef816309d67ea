zenctl {
  project = "tiny"
}

variable "methods" {
  type    = map(string)
  default = { height = "z_score" }
}

datasource "csv" "heights" {
  path = "heights.csv"
}

step "transform" "heights" {
  inputs = { train = datasource.csv.heights }

  dynamic "features" {
    for_each = var.methods
    iterator = it

    content {
      method = it.value
    }
  }
}
