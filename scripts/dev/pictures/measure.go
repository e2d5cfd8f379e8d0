package main

// The widths of the characters from space to ~ in DejaVu Sans, in thousandths of the size.
// Among the fonts that a browser takes for system-ui or sans-serif it is one of the widest:
// a text that fits in it fits in the others.
var (
	regular = [...]int{317, 400, 459, 837, 636, 950, 779, 274, 390, 390, 500, 837,
		317, 360, 317, 336, 636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 336,
		336, 837, 837, 837, 530, 1000, 684, 686, 698, 770, 631, 575, 774, 751, 294,
		294, 655, 557, 862, 748, 787, 603, 787, 694, 634, 610, 731, 684, 988, 685,
		610, 685, 390, 336, 390, 837, 500, 500, 612, 634, 549, 634, 615, 352, 634,
		633, 277, 277, 579, 277, 974, 633, 611, 634, 634, 411, 520, 392, 633, 591,
		817, 591, 591, 524, 636, 336, 636, 837}
	bold = [...]int{348, 456, 520, 837, 695, 1001, 872, 306, 457, 457, 522, 837,
		379, 415, 379, 365, 695, 695, 695, 695, 695, 695, 695, 695, 695, 695, 399,
		399, 837, 837, 837, 580, 1000, 773, 762, 733, 830, 683, 683, 820, 836, 372,
		372, 774, 637, 995, 836, 850, 732, 850, 770, 720, 682, 812, 773, 1103, 770,
		724, 725, 457, 365, 457, 837, 500, 500, 674, 715, 592, 715, 678, 435, 715,
		711, 342, 342, 665, 342, 1041, 711, 687, 715, 715, 493, 595, 478, 711, 651,
		923, 645, 651, 582, 711, 365, 711, 837}
)

// measure returns how wide a text may be, and a twenty-fifth more.
func measure(text string, s style) float64 {
	sum := 0
	for _, c := range text {
		switch {
		case s.mono:
			sum += 602
		case c < ' ' || c > '~':
			sum += 1050
		case s.bold:
			sum += bold[c-' ']
		default:
			sum += regular[c-' ']
		}
	}
	return float64(sum) * s.size / 1000 * 1.04
}
