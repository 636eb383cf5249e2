// A worker that fails before it has begun.

throw new Error("nothing works");
