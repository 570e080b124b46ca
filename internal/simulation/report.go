package simulation

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Violation is a broken rule.
type Violation struct {
	Rule Rule
	Text string
	// Seed tells the story again: -payments 1 -seed Seed. Zero for a scripted
	// scenario, which Name and its trouble tell again.
	Seed  uint64
	Name  string
	Story string
}

// String is the violation with its story.
func (v Violation) String() string {
	s := fmt.Sprintf("rule %q is broken: %s\n  in %s", v.Rule, v.Text, v.Name)
	if v.Story != "" {
		s += "\n" + middleOut(v.Story)
	}
	return s
}

// maxLines bounds a story: its beginning and its end tell enough.
const maxLines = 300

func middleOut(story string) string {
	lines := strings.Split(story, "\n")
	if len(lines) <= maxLines {
		return story
	}
	kept := append(slices.Clone(lines[:maxLines/2]), fmt.Sprintf("... %d lines more ...", len(lines)-maxLines))
	return strings.Join(append(kept, lines[len(lines)-maxLines/2:]...), "\n")
}

// Counts add up what happened.
type Counts struct {
	Payments, Faults, Crashes, Asides int
	// How payments ended: Approved held or collected money, Declined did not.
	// Repaired are those of both whose outcome was unknown for a time. Parked
	// asked for a person; of these, Doubtful are those whose records still
	// differ from the banks, or are open.
	Approved, Declined, Repaired, Parked, Doubtful int
	// Broken rules.
	Double, Lost, Unexplained int
}

func (c *Counts) add(d Counts) {
	c.Payments += d.Payments
	c.Faults += d.Faults
	c.Crashes += d.Crashes
	c.Asides += d.Asides
	c.Approved += d.Approved
	c.Declined += d.Declined
	c.Repaired += d.Repaired
	c.Parked += d.Parked
	c.Doubtful += d.Doubtful
	c.Double += d.Double
	c.Lost += d.Lost
	c.Unexplained += d.Unexplained
}

// Report is what a run came to.
type Report struct {
	Counts
	// Why counts the reasons for which persons were asked.
	Why map[string]int
	// Broken holds the first violation of each kind, and Kinds counts them all.
	Broken []Violation
	Kinds  map[string]int
	// Parks holds one story of each reason in Why, if KeepParked.
	Parks      []Violation
	KeepParked bool
}

// maxBroken bounds the stories that a report keeps.
const maxBroken = 60

// take adds a world that has ended; tell, if given, tells its story.
func (r *Report) take(w *world, name string, seed uint64, tell func() string) {
	w.sumUp()
	r.add(w.counts)
	if r.Why == nil {
		r.Why, r.Kinds = map[string]int{}, map[string]int{}
	}
	for _, x := range w.records {
		if x.p.Parked == nil {
			continue
		}
		why := gist(x.p.Parked.Why)
		if r.Why[why]++; r.Why[why] == 1 && r.KeepParked {
			v := Violation{Rule: "parked", Text: x.p.Parked.Why, Name: name, Seed: seed}
			if tell != nil {
				v.Story = tell()
			}
			r.Parks = append(r.Parks, v)
		}
	}
	for _, v := range w.broken {
		switch v.Rule {
		case RuleDouble, RuleIncident:
			r.Double++
		case RuleLost:
			r.Lost++
		default:
			r.Unexplained++
		}
		if r.Kinds[v.kind()]++; r.Kinds[v.kind()] > 1 {
			continue // the first of its kind is told
		}
		v.Name, v.Seed = name, seed
		if tell != nil && len(r.Broken) < maxBroken {
			v.Story = tell()
		}
		r.Broken = append(r.Broken, v)
	}
}

// merge adds another report; of each kind the violation with the lowest seed
// is kept.
func (r *Report) merge(more *Report) {
	r.add(more.Counts)
	if r.Why == nil {
		r.Why, r.Kinds = map[string]int{}, map[string]int{}
	}
	for why, n := range more.Why {
		r.Why[why] += n
	}
	for k, n := range more.Kinds {
		r.Kinds[k] += n
	}
	r.Broken = firstOfKind(append(r.Broken, more.Broken...))
	r.Parks = firstOfKind(append(r.Parks, more.Parks...))
}

// firstOfKind keeps of each kind the violation with the lowest seed.
func firstOfKind(all []Violation) []Violation {
	slices.SortStableFunc(all, func(a, b Violation) int { return cmp.Or(cmp.Compare(a.Seed, b.Seed), cmp.Compare(a.Rule, b.Rule)) })
	seen := map[string]bool{}
	all = slices.DeleteFunc(all, func(v Violation) bool {
		known := seen[v.kind()]
		seen[v.kind()] = true
		return known
	})
	return all[:min(len(all), maxBroken)]
}

// kind is what violations of one cause have in common.
func (v Violation) kind() string { return string(v.Rule) + ": " + gist(v.Text) }

// sumUp counts how the world's payments ended.
func (w *world) sumUp() {
	for _, r := range w.records {
		w.counts.Payments++
		if r.p.Parked != nil {
			w.counts.Parked++
			if r.doubtful {
				w.counts.Doubtful++
			}
			continue
		}
		if r.unknown {
			w.counts.Repaired++
		}
		if t := r.p.Totals; t.Authorized.Done.IsPositive() {
			w.counts.Approved++
		} else {
			w.counts.Declined++
		}
	}
}

// gist is a reason without its numbers and names.
func gist(why string) string {
	words := strings.Fields(why)
	for i, x := range words {
		if strings.ContainsAny(x, "0123456789\"") || (len(x) >= 3 && strings.ToUpper(x[:3]) == x[:3]) {
			words[i] = "#"
		}
	}
	return strings.ReplaceAll(strings.Join(words, " "), "# #", "#")
}

// String is the closing table.
func (r *Report) String() string {
	var b strings.Builder
	row := func(name string, n int) { fmt.Fprintf(&b, "%-12s %9d\n", name, n) }
	row("payments", r.Payments)
	row("faults", r.Faults)
	row("crashes", r.Crashes)
	row("meanwhiles", r.Asides)
	row("approved", r.Approved)
	row("declined", r.Declined)
	row("repaired", r.Repaired)
	row("parked", r.Parked)
	row("doubtful", r.Doubtful)
	row("double", r.Double)
	row("lost", r.Lost)
	row("unexplained", r.Unexplained)
	for _, why := range slices.SortedFunc(maps.Keys(r.Why), func(a, b string) int { return cmp.Or(r.Why[b]-r.Why[a], cmp.Compare(a, b)) }) {
		fmt.Fprintf(&b, "  parked %6d  %s\n", r.Why[why], why)
	}
	for _, k := range slices.SortedFunc(maps.Keys(r.Kinds), func(a, b string) int { return cmp.Or(r.Kinds[b]-r.Kinds[a], cmp.Compare(a, b)) }) {
		fmt.Fprintf(&b, "  broken %6d  %s\n", r.Kinds[k], k)
	}
	return b.String()
}
