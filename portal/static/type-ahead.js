// A list of students becomes a box that finds them by name or number: a combobox with a list below it.
// The list stays where there is no script. What is chosen goes into a hidden field of the list's name.

const PAUSE_MS = 120;
let boxes = 0;

const make = (name, attributes) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

class TypeAhead {
  constructor(box) {
    const own = box.querySelector("[name=student_no]");
    const id = `students-${(boxes += 1)}`;
    this.source = box.dataset.roster;
    this.chosen = make("input", { type: "hidden", name: "student_no" });
    this.input = make("input", {
      type: "text", role: "combobox", id: own.id, class: "form-control", autocomplete: "off", maxlength: "100",
      placeholder: "Name or number", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": id,
    });
    this.list = make("ul", { role: "listbox", id, "aria-label": "Students" });
    this.list.hidden = true;
    this.said = make("span", { role: "status", class: "visually-hidden" });
    const selected = own.tagName === "SELECT" && own.value ? own.selectedOptions[0].textContent : "";
    this.input.value = selected || box.dataset.typed || "";
    this.chosen.value = selected ? own.value : this.input.value;
    own.replaceWith(this.chosen, this.input, this.list, this.said);
    this.at = -1;
    this.students = [];
    this.isDown = false;
    this.entered = false;
    this.listen();
  }

  listen() {
    this.input.addEventListener("input", () => {
      this.chosen.value = this.input.value.trim();
      this.forget();
      this.timer = window.setTimeout(() => this.ask(), PAUSE_MS);
    });
    this.input.addEventListener("keydown", (event) => this.press(event));
    this.input.addEventListener("blur", () => this.close());
    // Before the field loses the focus, which would close the list.
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.take([...this.list.children].indexOf(option));
    });
  }

  async ask() {
    window.clearTimeout(this.timer);
    this.asking?.abort();
    this.asking = new AbortController();
    try {
      const query = new URLSearchParams({ q: this.input.value });
      const answer = await fetch(`${this.source}?${query}`, { signal: this.asking.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      this.show(await answer.json());
    } catch (error) {
      if (error.name === "AbortError") return;
      this.forget();
      this.isDown = true;
      this.said.textContent = "The names cannot be loaded. Type the whole student number.";
    }
  }

  show(students) {
    this.students = students;
    this.list.replaceChildren(...students.map(({ name, student_no: number }, at) => {
      const option = make("li", { role: "option", id: `${this.list.id}-${at}`, "aria-selected": "false" });
      const shown = make("span", { class: "soft" });
      shown.textContent = number;
      option.append(`${name} `, shown);
      return option;
    }));
    this.said.textContent = students.length
      ? `${students.length} ${students.length === 1 ? "student" : "students"}`
      : "Nobody of this course is called so";
    if (!students.length) {
      const nobody = make("li", { class: "soft nobody", role: "option", "aria-disabled": "true" });
      nobody.textContent = this.said.textContent;
      this.list.append(nobody);
    }
    this.list.hidden = document.activeElement !== this.input;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.point(students.length && this.input.value.trim() ? 0 : -1);
    if (this.entered) {
      this.entered = false;
      this.take(this.at);
    }
  }

  // What was answered to another text must not be taken for an answer to this one.
  forget() {
    this.close();
    this.students = [];
    this.list.replaceChildren();
    this.said.textContent = "";
    this.isDown = false;
  }

  // Nobody was taken yet. Where no names can be loaded, the text is all there is: a student number.
  get isMereText() {
    const text = this.input.value.trim();
    return text !== "" && text === this.chosen.value && !this.isDown;
  }

  point(at) {
    this.at = at;
    [...this.list.children].forEach((option, place) => {
      if (this.students.length) option.setAttribute("aria-selected", String(place === at));
    });
    if (at < 0) this.input.removeAttribute("aria-activedescendant");
    else {
      this.input.setAttribute("aria-activedescendant", this.list.children[at].id);
      this.list.children[at].scrollIntoView({ block: "nearest" });
    }
  }

  press(event) {
    const open = !this.list.hidden;
    const last = this.students.length - 1;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) this.ask();
      else if (last >= 0) {
        const next = event.key === "ArrowDown" ? this.at + 1 : this.at - 1;
        this.point(next > last ? 0 : next < 0 ? last : next);
      }
    } else if (event.key === "Enter" && ((open && this.at >= 0) || this.isMereText)) {
      event.preventDefault();
      // Once to take the name, once more to send it: see queue.js. Text that is nobody's name is not sent.
      event.stopPropagation();
      if (open) this.take(this.at);
      else if (!this.entered) {
        // The list of this text is still to come: what it puts first is taken as soon as it is there.
        this.entered = true;
        this.ask();
      }
    } else if (event.key === "Escape" && open) {
      event.stopPropagation();
      this.close();
    }
  }

  take(at) {
    const student = this.students[at];
    if (!student) return;
    this.input.value = `${student.name} (${student.student_no})`;
    this.chosen.value = student.student_no;
    this.close();
    this.said.textContent = `${student.name} taken. Enter sends it.`;
    this.input.focus();
  }

  close() {
    window.clearTimeout(this.timer);
    this.asking?.abort();
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.at = -1;
    this.entered = false;
  }
}

export const typeAheads = (root) => {
  for (const box of root.querySelectorAll("[data-roster]")) new TypeAhead(box);
};
