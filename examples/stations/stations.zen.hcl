# Three weather stations, a reading an hour, some of them wrong and some missing: how warm will it be in an hour?
#
# Shows validate (readings that cannot be true are set aside), sequence (an even step, gaps filled, windows), a split by
# time (a forecast is tested on later days), and predict (what the model says of every window, as a CSV file).

zenctl {
  required_version = ">= 0.1"
  project          = "stations"
}

datasource "csv" "readings" {
  path = "data/readings.csv"
}

# The schema was inferred once, and is kept in version control:
#
#   zenctl state schema datasource.csv.readings > schemas/readings.json
#
# Another column, another type or a station that nobody knows is an anomaly. What a thermometer can show, no data tells:
# that is said here.
step "validate" "readings" {
  inputs     = { data = datasource.csv.readings }
  schema     = file("schemas/readings.json")
  unique     = ["station", "time"]
  on_anomaly = "quarantine"

  feature = {
    temperature = {
      min = -40
      max = 50
    }
    humidity = {
      min         = 0
      max         = 100
      max_missing = 0.01
    }
  }
}

# Six hours, and the temperature of the next: temperature_lag5 ... temperature_lag0, humidity_lag5 ..., temperature_lead1.
step "sequence" "hours" {
  inputs  = { data = step.validate.readings.data }
  time    = "time"
  by      = ["station"]
  every   = "1h"
  gaps    = "interpolate"
  max_gap = 3
  window  = 6
  label   = "temperature"
}

step "split" "hours" {
  inputs = { data = step.sequence.hours.data }
  time   = "time"
  until  = { train = "2026-03-12T00:00:00Z", later = "" }
}

# Are the later days like those that the model learns from? statistics.html shows both.
step "statistics" "later" {
  inputs = { data = step.split.hours.later, baseline = step.split.hours.train }
}

step "train" "next_hour" {
  inputs        = { train = step.split.hours.train, eval = step.split.hours.later }
  label         = "temperature_lead1"
  task          = "regression"
  features      = [for hours in range(6) : "temperature_lag${hours}"]
  hidden_layers = [16]
  epochs        = 8
  learning_rate = 0.01
}

step "predict" "later" {
  inputs = { model = step.train.next_hour.model, data = step.split.hours.later }
  format = "csv"
  keep   = ["station", "time", "temperature_lag0", "temperature_lead1"]
}

# Some trouble is expected, much of it is not.
check "sensors" {
  assert {
    condition     = step.validate.readings.anomalies.quarantined < 10
    error_message = "${step.validate.readings.anomalies.quarantined} readings were set aside."
  }
}

output "set_aside" {
  value = step.validate.readings.anomalies.quarantined
}

output "error_in_degrees" {
  value = step.train.next_hour.metrics.eval_mae
}

output "predicted" {
  value = step.predict.later.predictions.rows
}
