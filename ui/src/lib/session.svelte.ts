// Who is signed in. Everything else on the page hangs below this.
import { api, whenSignedOut } from "./api";
import type { Problem, Session } from "./types";

export type Phase = "loading" | "signed-out" | "signed-in" | "unreachable";

class SessionState {
  phase = $state<Phase>("loading");
  username = $state("");
  setupRequired = $state(false);
  version = $state("");
  /** Set when a running session ended by itself, so that the form can say why it is there. */
  hasExpired = $state(false);

  #onSignedIn: () => void = () => {};

  constructor() {
    whenSignedOut(() => this.expire());
  }

  /** Called whenever a session begins or is found. */
  whenSignedIn(callback: () => void): void {
    this.#onSignedIn = callback;
  }

  async refresh(): Promise<void> {
    const result = await api.session();
    if (result.ok) this.#take(result.data);
    else if (this.phase === "loading") this.phase = "unreachable";
  }

  /** Null when signed in, otherwise what went wrong. */
  async signIn(username: string, password: string): Promise<Problem | null> {
    const result = await api.login(username, password);
    return this.#entered(result.ok ? null : result.problem);
  }

  async setUp(code: string, password: string): Promise<Problem | null> {
    const result = await api.setup(code, password);
    if (!result.ok && result.status === 409) this.setupRequired = false;
    return this.#entered(result.ok ? null : result.problem);
  }

  async signOut(): Promise<Problem | null> {
    const result = await api.logout();
    if (!result.ok && result.status !== 401) return result.problem;
    this.phase = "signed-out";
    this.hasExpired = false;
    return null;
  }

  expire(): void {
    if (this.phase === "signed-in") this.hasExpired = true;
    this.phase = "signed-out";
  }

  async #entered(problem: Problem | null): Promise<Problem | null> {
    if (problem !== null) return problem;
    const session = await api.session();
    if (!session.ok) return session.problem;
    this.#take(session.data);
    return null;
  }

  #take(session: Session): void {
    this.version = session.version;
    this.setupRequired = session.setup_required;
    this.username = session.user?.username ?? "";
    if (session.user === null) {
      this.expire();
    } else {
      this.phase = "signed-in";
      this.hasExpired = false;
      this.#onSignedIn();
    }
  }
}

export const session = new SessionState();
