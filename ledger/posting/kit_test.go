package posting

import (
	"context"
	"log/slog"
)

// loggerTo keeps what is logged.
func loggerTo(to *[]string) *slog.Logger { return slog.New(&notes{to}) }

type notes struct{ to *[]string }

func (n *notes) Enabled(context.Context, slog.Level) bool { return true }
func (n *notes) WithAttrs([]slog.Attr) slog.Handler       { return n }
func (n *notes) WithGroup(string) slog.Handler            { return n }

func (n *notes) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	*n.to = append(*n.to, text)
	return nil
}
