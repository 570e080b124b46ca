package sqlstore

import (
	"context"
	"database/sql"
)

// querier runs the statements of one transaction, or of none.
type querier interface {
	exec(ctx context.Context, text string, args []any) (affected int64, err error)
	query(ctx context.Context, text string, args []any) (*sql.Rows, error)
}

// plain runs texts on a *sql.Tx or a *sql.DB.
type plain struct {
	q interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	}
}

func (p plain) exec(ctx context.Context, text string, args []any) (int64, error) {
	return affected(p.q.ExecContext(ctx, text, args...))
}

func (p plain) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	return p.q.QueryContext(ctx, text, args...)
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// pooled runs reads outside transactions on SQLite, prepared once per
// connection.
type pooled struct{ s *Store }

func (p pooled) exec(ctx context.Context, text string, args []any) (int64, error) {
	if st := p.s.prepared(text); st != nil {
		return affected(st.ExecContext(ctx, args...))
	}
	return plain{p.s.db}.exec(ctx, text, args)
}

func (p pooled) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	if st := p.s.prepared(text); st != nil {
		return st.QueryContext(ctx, args...)
	}
	return p.s.db.QueryContext(ctx, text, args...)
}

// batched runs the statements of a SQLite transaction that several Updates
// share. A statement's context never ends: interrupting a write makes SQLite
// roll the whole transaction back, and with it the work of the other callers.
type batched struct {
	s     *Store
	tx    *sql.Tx
	stmts map[string]*sql.Stmt // bound to tx
}

func (b *batched) stmt(text string) *sql.Stmt {
	if st, ok := b.stmts[text]; ok {
		return st
	}
	var st *sql.Stmt
	if p := b.s.prepared(text); p != nil {
		st = b.tx.StmtContext(context.Background(), p)
	}
	b.stmts[text] = st
	return st
}

func (b *batched) exec(ctx context.Context, text string, args []any) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if st := b.stmt(text); st != nil {
		return affected(st.ExecContext(context.Background(), args...))
	}
	return affected(b.tx.ExecContext(context.Background(), text, args...))
}

func (b *batched) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if st := b.stmt(text); st != nil {
		return st.QueryContext(context.Background(), args...)
	}
	return b.tx.QueryContext(context.Background(), text, args...)
}

// all reads every row of a query.
func all[T any](ctx context.Context, q querier, scan func(row) (T, error), text string, args []any) ([]T, error) {
	rows, err := q.query(ctx, text, args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return out, rows.Close()
}
