#pragma once
// Everything a program that uses the library needs; each header is the manual of its part.
#include "attacks/attack.h"
#include "attacks/objectives/behavior_matching.h"
#include "defenses/make_defense.h"
#include "defenses/pipeline.h"
#include "models/load_model.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/experiment/report/report.h"
#include "src/experiment/report/values/statistics.h"
#include "src/experiment/run/runner.h"
