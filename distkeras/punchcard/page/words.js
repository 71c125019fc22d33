// How numbers and times are told.

const moment = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
});
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export const NOTHING = "–";
const PHASES = {
  check: "Checking the job", start: "Starting workers", train: "Training", finish: "Saving",
};

export function phase(name) {
  return PHASES[name] ?? "Under way";
}

export function at(seconds) {
  return moment.format(new Date(seconds * 1000));
}

export function lasting(seconds) {
  if (seconds === null || !(seconds >= 0)) return NOTHING;
  const all = Math.round(seconds);
  const [hours, minutes] = [Math.floor(all / 3600), Math.floor(all / 60) % 60];
  if (hours >= 48) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${all % 60} s` : `${all} s`;
}

export function count(number) {
  return number > 0 ? whole.format(number) : NOTHING;
}

export function measure(number) {
  if (number === null) return NOTHING;
  const size = Math.abs(number);
  return size !== 0 && (size < 0.001 || size >= 1e5)
    ? number.toExponential(2) : String(Number(number.toPrecision(4)));
}

export function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  let [value, unit] = [bytes, 0];
  for (; value >= 1000 && unit < 3; unit += 1) value /= 1000;
  return `${Number(value.toPrecision(3))} ${units[unit]}`;
}

export function state(job) {
  return job.cancelling ? "cancelling" : job.state;
}

export function part(progress) {
  return progress && progress.total ? Math.min(1, progress.rows / progress.total) : null;
}
