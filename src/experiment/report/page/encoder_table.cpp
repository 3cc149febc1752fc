#include "src/experiment/report/page/encoder_table.h"

namespace hijack::report {

ReportTable encoder_table(const std::vector<EncoderSummary>& all) {
  ReportTable table{"encoders",
                    {"Optimized on", "Constraint", "Encoder", "Role", "Cosine to the target", "Clean",
                     "Noise", "Nearer to the target", "Noise nearer", "Cosine to the clean photo", "Noise"}};
  table.keys = 4;
  const bool chosen = some_were_chosen(all);
  if (chosen) table.head.emplace_back("Steps");
  for (const EncoderSummary& one : all) {
    table.rows.push_back({Cell{one.setting->model}, Cell{setting_label(*one.setting)}, Cell{one.encoder},
                          Cell{role_of(one)}, number_cell(one.attack), number_cell(one.clean),
                          number_cell(one.noise), rate_cell(one.attack_nearer), rate_cell(one.noise_nearer),
                          number_cell(one.attack_to_clean), number_cell(one.noise_to_clean)});
    if (chosen) table.rows.back().push_back(number_cell(one.steps));
  }
  table.caption =
      "Cosines of embeddings, measured on the saved files, means over photos and seeds. Nearer: the "
      "adversarial image lies closer to the target than to the clean photo.";
  if (chosen) table.caption += " Steps: of a trial, that the surrogate was chosen for.";
  return table;
}

}  // namespace hijack::report
